package eventrelay

import (
	"crypto/x509"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"time"
)

// Check looks at the options and the files they name, without the network, and
// returns all there is to say. A connection cannot work with a fault; a warning
// is a risk, or what can only be known with the server.
func Check(o Options) (faults, warnings []error) {
	var f findings
	f.address(o)
	f.fault(checkToken(o))
	f.clientCertificate(o)
	f.authorities(o)
	return f.faults, f.warnings
}

type findings struct{ faults, warnings []error }

func (f *findings) fault(err error) {
	if err != nil {
		f.faults = append(f.faults, err)
	}
}

func (f *findings) warn(format string, args ...any) {
	f.warnings = append(f.warnings, fmt.Errorf(format, args...))
}

func (f *findings) address(o Options) {
	ip, err := netip.ParseAddr(o.Host)
	isIP := err == nil
	if o.Host == "" || !isIP && strings.ContainsAny(o.Host, ":/@ ") {
		f.fault(fmt.Errorf("host %q is not a name or an IP address\nhint: write it alone, such as localhost", o.Host))
	}
	if o.Port < 1 || o.Port > 65535 {
		f.fault(fmt.Errorf("port %d is not between 1 and 65535", o.Port))
	}
	if isIP && o.Secure() {
		f.warn("host %s is an IP address, and a server's certificate has DNS names only as a rule"+
			"\nhint: set host to a name of the certificate, such as localhost", o.Host)
	}
	if !o.Secure() && o.Token.Reveal() != "" && o.Host != "localhost" && !ip.IsLoopback() {
		f.warn("the token travels to %s unencrypted\nhint: set cacertfile, or tls to true", o.Address())
	}
}

// clientCertificate looks at each file by itself before it looks at the pair,
// so that one broken file does not hide what is wrong with the other.
func (f *findings) clientCertificate(o Options) {
	if o.CertFile == "" && o.KeyFile == "" {
		return
	}
	certificates, certErr := readCertificates("certfile", o.CertFile)
	_, keyErr := readPEM("keyfile", o.KeyFile)
	f.fault(certErr)
	f.fault(keyErr)
	if certErr == nil && keyErr == nil {
		_, err := o.clientCertificate()
		f.fault(err)
	}
	for _, c := range certificates {
		f.fault(validity("certfile", o.CertFile, c))
	}
	f.permissions(o.KeyFile)
}

// authorities faults a file without a valid authority; an expired one among
// others is usual in a bundle.
func (f *findings) authorities(o Options) {
	if o.CACertFile == "" {
		return
	}
	certificates, err := readCertificates("cacertfile", o.CACertFile)
	f.fault(err)
	var invalid []error
	for _, c := range certificates {
		if err := validity("cacertfile", o.CACertFile, c); err != nil {
			invalid = append(invalid, err)
		}
	}
	if len(invalid) == len(certificates) {
		f.faults = append(f.faults, invalid...)
		return
	}
	f.warnings = append(f.warnings, invalid...)
}

func validity(option, path string, c *x509.Certificate) error {
	now := time.Now()
	switch {
	case now.After(c.NotAfter):
		return fmt.Errorf("%s %s: the certificate of %q expired on %s",
			option, path, c.Subject, c.NotAfter.Format(time.RFC3339))
	case now.Before(c.NotBefore):
		return fmt.Errorf("%s %s: the certificate of %q is valid only from %s"+
			"\nhint: is this machine's clock right?",
			option, path, c.Subject, c.NotBefore.Format(time.RFC3339))
	}
	return nil
}

// permissions warns of a key that everyone on the machine can read. Windows
// has no such bits.
func (f *findings) permissions(path string) {
	info, err := os.Stat(path)
	if err == nil && runtime.GOOS != "windows" && info.Mode()&0o004 != 0 {
		f.warn("keyfile %s can be read by every user of this machine\nhint: chmod 600 %s", path, path)
	}
}
