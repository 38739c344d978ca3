"""Messages in images: fields and their bits, the code that carries them, and how a message is read."""
