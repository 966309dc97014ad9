package pki

import (
	"fmt"
	"os"
)

// Files are the paths of a set on disk.
type Files struct {
	CACert, ServerCert, ServerKey, ClientCert, ClientKey string
}

// Write puts the set into dir, which it makes if need be: ca.pem, server.pem,
// server-key.pem, client.pem and client-key.pem, the keys readable by their
// owner only. Files of these names are replaced, never written through.
func (s *Set) Write(dir string) (Files, error) {
	f := files(dir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return Files{}, fmt.Errorf("make certificate directory: %w", err)
	}
	for _, out := range []struct {
		path string
		mode os.FileMode
		text []byte
	}{
		{f.CACert, 0o644, s.CACert},
		{f.ServerCert, 0o644, s.ServerCert},
		{f.ServerKey, 0o600, s.ServerKey},
		{f.ClientCert, 0o644, s.ClientCert},
		{f.ClientKey, 0o600, s.ClientKey},
	} {
		if err := replace(out.path, out.text, out.mode); err != nil {
			return Files{}, fmt.Errorf("write certificate file: %w", err)
		}
	}
	return f, nil
}

// replace makes the file anew, so that neither an old mode nor a link at its
// place lets others read it.
func replace(path string, text []byte, mode os.FileMode) error {
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	if _, err := f.Write(text); err != nil {
		_ = f.Close()
		return err
	}
	return f.Close()
}
