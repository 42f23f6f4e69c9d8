"""Rules that protect what a retain set's gradients point at; one file a rule."""
