"""Objects with labelled parts, generated or from disk, drawn from posed cameras into the SRN layout."""
