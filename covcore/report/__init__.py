"""Reports: what is known of the files of a project, for people (text, markdown) and for programs."""
