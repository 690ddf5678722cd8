"""What Lambda calls: built once per environment from its variables, with every part in its place."""
