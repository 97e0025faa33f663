"""What a frozen encoder knows of the subtypes: k-NN, linear probe, prototypes from a few labels."""
