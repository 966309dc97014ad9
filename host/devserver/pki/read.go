package pki

import (
	"crypto/tls"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Read returns the set that Write put into dir, so that a server which starts
// again keeps its clients. The error matches [fs.ErrNotExist] if there is none.
func Read(dir string) (*Set, Files, error) {
	f := files(dir)
	s := &Set{}
	for path, text := range map[string]*[]byte{
		f.CACert: &s.CACert, f.ServerCert: &s.ServerCert, f.ServerKey: &s.ServerKey,
		f.ClientCert: &s.ClientCert, f.ClientKey: &s.ClientKey,
	} {
		var err error
		if *text, err = os.ReadFile(path); err != nil {
			return nil, Files{}, fmt.Errorf("read certificate file: %w", err)
		}
	}
	return s, f, nil
}

// ValidAt reports whether the set's certificates hold at a time. They expire
// together.
func (s *Set) ValidAt(at time.Time) bool {
	pair, err := tls.X509KeyPair(s.ServerCert, s.ServerKey)
	return err == nil && at.After(pair.Leaf.NotBefore) && at.Before(pair.Leaf.NotAfter)
}

// files are the names of a set in dir.
func files(dir string) Files {
	return Files{
		CACert:     filepath.Join(dir, "ca.pem"),
		ServerCert: filepath.Join(dir, "server.pem"),
		ServerKey:  filepath.Join(dir, "server-key.pem"),
		ClientCert: filepath.Join(dir, "client.pem"),
		ClientKey:  filepath.Join(dir, "client-key.pem"),
	}
}
