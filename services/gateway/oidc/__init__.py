"""Sign-in by OpenID Connect: the authorization code flow with PKCE, state and nonce, ending in a session like a key's."""
