"""What the scripts at the top call: one function a command."""
