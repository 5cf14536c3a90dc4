"""The command line `apportion`: thin commands over `apportion.Client`."""
