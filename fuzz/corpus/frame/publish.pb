1:-
room:1#{"client_id":"c","text":"héllo\n"}