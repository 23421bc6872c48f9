"""What a study's report says and shows: evidence in, tables, figures, pages and claims out."""
