	J
room:1