package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/relayhost/relayhost/host/secret"

	"google.golang.org/grpc"

	"github.com/relayhost/relayhost/host/eventrelay"
)

// server is where an EventRelay server is, and how to be let in.
type server struct {
	Host       string `default:"localhost" help:"The server's name."`
	Port       int    `default:"50051" help:"The server's port."`
	TokenFile  string `placeholder:"FILE" help:"The file with the token; without it, the environment's RELAYHOST_TOKEN."`
	TLS        bool   `name:"tls" help:"Encrypt, and trust the system's authorities."`
	CACertfile string `name:"cacertfile" placeholder:"FILE" help:"The authorities that signed the server's certificate, PEM."`
	Certfile   string `placeholder:"FILE" help:"The client's certificate for mutual TLS, PEM."`
	Keyfile    string `placeholder:"FILE" help:"The client certificate's key, PEM."`
}

func (s server) dial() (*grpc.ClientConn, error) {
	token, err := s.token()
	if err != nil {
		return nil, err
	}
	return eventrelay.Dial(eventrelay.Options{
		Host: s.Host, Port: s.Port, Token: token, TLS: s.TLS,
		CertFile: s.Certfile, KeyFile: s.Keyfile, CACertFile: s.CACertfile,
	})
}

// token is never a flag: other users of the machine can see those.
func (s server) token() (secret.Text, error) {
	if s.TokenFile == "" {
		return secret.New(os.Getenv("RELAYHOST_TOKEN")), nil
	}
	text, err := os.ReadFile(s.TokenFile)
	if err != nil {
		return secret.Text{}, fmt.Errorf("read token: %w", err)
	}
	return secret.New(strings.TrimSpace(string(text))), nil
}
