"""The stages: settings and committed inputs in, one committed artifact out.

Each module has `run(settings, work) -> Outcome`, and reads nothing but its arguments.
"""
