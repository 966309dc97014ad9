//go:build race

package host_test

func init() { underRace = true }
