"""The options that several verbs share, each as one argument of the command function."""
