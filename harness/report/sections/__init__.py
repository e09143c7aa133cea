"""The report's sections, a file each; harness.components.section lists them."""
