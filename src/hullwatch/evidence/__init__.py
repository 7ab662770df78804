"""Evidence: what a capture tells about one alert, in a folder that can be handed on."""
