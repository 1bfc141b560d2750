"""Cross-entropy loss, one module a topic. The module is the address: nothing is re-exported here."""
