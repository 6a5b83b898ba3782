"""What the `tocsin` command does beside serving: a module a subject, most of them loaded when one of theirs is asked for."""
