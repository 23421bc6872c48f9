"""What users do with a trained generator or a finished set, each behind one command."""
