// Says for each line of stdin, a text as a JSON string, which documents kubectl reads in it and which of them the API
// server would refuse, by the packages of both.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"

	goyaml "go.yaml.in/yaml/v2"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
	"k8s.io/apimachinery/pkg/runtime"
	serializer "k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"
)

type document struct {
	// The JSON that kubectl makes of it, or why it makes none.
	JSON  json.RawMessage `json:"json,omitempty"`
	Error string          `json:"error,omitempty"`
	// Why it is not an object of Kubernetes.
	Refused string `json:"refused,omitempty"`
}

type answer struct {
	Documents []document `json:"documents"`
	// Whether kubectl skips text behind the end of a document, without a word.
	Skips bool `json:"skips"`
}

// read is what kubectl's FileVisitor and StreamVisitor do, but for that they stop at the first error.
func read(text string) []document {
	documents := []document{}
	decoder := yaml.NewYAMLOrJSONDecoder(file(text), 4096)
	for {
		var raw runtime.RawExtension
		err := decoder.Decode(&raw)
		if err == io.EOF {
			return documents
		}
		if err != nil {
			// There is nothing left that it could read.
			if err.Error() == "decoding failed as both JSON and YAML" {
				return documents
			}
			documents = append(documents, document{Error: err.Error()})
			if _, isJSON := err.(*json.SyntaxError); isJSON || errors.Is(err, io.ErrUnexpectedEOF) {
				return documents
			}
			continue
		}
		raw.Raw = bytes.TrimSpace(raw.Raw)
		if len(raw.Raw) == 0 || bytes.Equal(raw.Raw, []byte("null")) {
			continue
		}
		documents = append(documents, document{JSON: raw.Raw, Refused: refused(raw.Raw)})
	}
}

func file(text string) io.Reader {
	return transform.NewReader(strings.NewReader(text), unicode.BOMOverride(unicode.UTF8.NewDecoder()))
}

// strict refuses unknown fields, as kubectl asks the API server to.
var strict = serializer.NewSerializerWithOptions(
	serializer.DefaultMetaFactory, scheme.Scheme, scheme.Scheme, serializer.SerializerOptions{Strict: true},
)

func refused(raw []byte) string {
	_, _, err := strict.Decode(raw, nil, nil)
	if err == nil {
		return ""
	}
	return err.Error()
}

// skips says whether a part of a text goes on behind its first document, which is the only one that is read.
func skips(text string) bool {
	text, isYAML := behindJSON(text)
	if !isYAML {
		return false
	}
	reader := yaml.NewYAMLReader(bufio.NewReader(file(text)))
	for {
		part, err := reader.Read()
		if err == io.EOF {
			return false
		}
		if err != nil {
			continue
		}
		decoder := goyaml.NewDecoder(bytes.NewReader(part))
		var value any
		if decoder.Decode(&value) == nil && decoder.Decode(&value) != io.EOF {
			return true
		}
	}
}

// behindJSON is what is read as YAML: behind one JSON value at most.
func behindJSON(text string) (string, bool) {
	text = strings.TrimPrefix(text, "\ufeff")
	if !yaml.IsJSONBuffer([]byte(text)) {
		return text, true
	}
	decoder := json.NewDecoder(strings.NewReader(text))
	var value json.RawMessage
	for count, begin := 0, 0; ; count++ {
		err := decoder.Decode(&value)
		switch {
		case err == io.EOF || err != nil && count > 1:
			return "", false
		case err != nil:
			text = text[begin:]
			rest := strings.TrimLeft(text, " \t\r\v\f")
			return strings.TrimPrefix(rest, "\n"), true
		}
		begin = int(decoder.InputOffset())
	}
}

func main() {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 1<<28)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for in.Scan() {
		var text string
		if err := json.Unmarshal(in.Bytes(), &text); err != nil {
			panic(err)
		}
		if err := json.NewEncoder(out).Encode(answer{read(text), skips(text)}); err != nil {
			panic(err)
		}
	}
	if err := in.Err(); err != nil {
		panic(err)
	}
}
