"""What is made from the operations: documents, OpenAPI, and what registries, hosts and editors install by."""
