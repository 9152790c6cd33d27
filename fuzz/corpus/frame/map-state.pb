*

presence:1pxÄêd