"""Cell broadcast through the gateways of mobile operators."""
