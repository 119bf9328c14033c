"""How pages write dates, in place of what Django has for the language."""
