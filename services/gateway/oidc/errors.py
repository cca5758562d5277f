"""What may be wrong with a sign-in at the provider."""

from shared.errors import LecternError, Unavailable


class SignInRefused(LecternError):
    """The provider did not vouch for this browser, or not in a way that counts."""

    code = "sign-in-refused"


class ProviderAway(Unavailable):
    """The provider does not answer, or not as an OpenID provider does."""

    code = "provider-unavailable"
