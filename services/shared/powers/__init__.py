"""Who may: one function decides every act and every look, from a caller, an act and what it is about."""
