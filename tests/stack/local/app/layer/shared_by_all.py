"""What a layer brings: a module that every function can import."""

NAME = "layer"
