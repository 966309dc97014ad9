package main

type pluginCommand struct {
	Inspect inspectCommand `cmd:"" help:"Show what a plugin's file holds, without running it."`
	Test    tryCommand     `cmd:"" help:"Run events through a plugin, with no server."`
}

// unusable is an error for what the user named and cannot be worked with.
func unusable(err error) error { return usageError{err.Error()} }
