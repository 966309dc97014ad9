// Package relay is the plugin kit for Go.
package relay
