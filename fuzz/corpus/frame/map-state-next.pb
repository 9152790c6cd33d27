!*

presence:12e8px€Šk9