"""PDF bytes → MMD and a page map: the first stage of the flow."""
