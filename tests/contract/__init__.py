"""The OpenAPI document against the running application."""
