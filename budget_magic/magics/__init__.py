"""WHAT THE USER TYPES: cell and line magics; the only room that imports IPython."""
