package watch

import "github.com/fsnotify/fsnotify"

// WithoutNotices has the operating system refuse to tell of changes until the
// function that it returns is called.
func WithoutNotices(err error) (restore func()) {
	newWatcher = func() (*fsnotify.Watcher, error) { return nil, err }
	return func() { newWatcher = fsnotify.NewWatcher }
}
