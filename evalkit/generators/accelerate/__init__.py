"""Ways to draw faster or in less memory."""
