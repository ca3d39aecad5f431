"""The OpenAPI document: one table of operations, the models the code runs on, and answers that were really given."""
