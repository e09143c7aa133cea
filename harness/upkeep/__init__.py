"""What people do with a results folder beside running studies: look, tidy, move, merge."""
