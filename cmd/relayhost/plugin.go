package main

type pluginCommand struct {
	Inspect  inspectCommand  `cmd:"" help:"Show what a plugin's file holds, without running it."`
	Test     tryCommand      `cmd:"" help:"Run events through a plugin, with no server."`
	Examples examplesCommand `cmd:"" help:"Show the events that a module carries as its own test, or give it some."`
	Swap     swapCommand     `cmd:"" help:"Have the running host make a file the live version of a pipeline's plugin."`
	Promote  promoteCommand  `cmd:"" help:"Make the version that is on trial the live one, at once."`
	Rollback rollbackCommand `cmd:"" help:"End a trial, or make a version live that was so before."`
	History  historyCommand  `cmd:"" help:"Show the versions of a pipeline's plugin, and how a rollout goes."`
}

// unusable is an error for what the user named and cannot be worked with.
func unusable(err error) error { return usageError{err.Error()} }
