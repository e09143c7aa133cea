"""One component of each kind, as somebody outside of the harness would bring them."""
