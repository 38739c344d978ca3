"""Vision-language judges: requests, replies that are stored before they are read, and what is done about lost ones."""
