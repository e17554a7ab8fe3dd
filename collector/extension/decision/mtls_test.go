package decision

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/config/configtls"
)

// authority signs certificates of a test.
type authority struct {
	t           *testing.T
	directory   string
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	made := &authority{t: t, directory: t.TempDir()}
	made.certificate, made.key = made.sign("ca", nil, nil)
	return made
}

// sign makes name.pem and name.key.
func (a *authority) sign(name string, parent *x509.Certificate, signer *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(a.t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: parent == nil, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	require.NoError(a.t, err)
	private, err := x509.MarshalECPrivateKey(key)
	require.NoError(a.t, err)
	a.write(name+".pem", "CERTIFICATE", der)
	a.write(name+".key", "EC PRIVATE KEY", private)
	made, err := x509.ParseCertificate(der)
	require.NoError(a.t, err)
	return made, key
}

func (a *authority) write(name, kind string, der []byte) {
	text := pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	require.NoError(a.t, os.WriteFile(a.path(name), text, 0o600))
}

func (a *authority) path(name string) string { return filepath.Join(a.directory, name) }

func TestOnlyClientsWithACertificateAreAnswered(t *testing.T) {
	ca := newAuthority(t)
	ca.sign("server", ca.certificate, ca.key)
	ca.sign("client", ca.certificate, ca.key)
	r := start(t, func(c *Config) {
		c.HTTP.Get().TLS = configoptional.Some(configtls.ServerConfig{
			Config:       configtls.Config{CertFile: ca.path("server.pem"), KeyFile: ca.path("server.key")},
			ClientCAFile: ca.path("ca.pem"),
		})
	})
	roots := x509.NewCertPool()
	roots.AddCert(ca.certificate)
	get := func(certificates ...tls.Certificate) (*http.Response, error) {
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: certificates}}
		defer transport.CloseIdleConnections()
		return (&http.Client{Transport: transport}).Get("https" + r.url[len("http"):] + "/v1/budgets")
	}
	_, err := get()
	assert.ErrorContains(t, err, "certificate required")
	pair, err := tls.LoadX509KeyPair(ca.path("client.pem"), ca.path("client.key"))
	require.NoError(t, err)
	answer, err := get(pair)
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, answer.StatusCode)
	assert.NoError(t, answer.Body.Close())
}
