"""HTTPS servers, their certificates, and clients."""
