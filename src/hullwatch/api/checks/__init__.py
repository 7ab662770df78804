"""What a running instance tells of itself when somebody asks whether all is well."""
