"""Tables, charts and the web report, from plain frames and arrays; nothing here fits a model."""
