package policy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// What a value of a file can be. Words without quotes are read as PyYAML reads them: YAML 1.1, where `yes` is true.
const (
	isNull = iota
	isText
	isFlag
	isWhole
	isFraction
	isList
	isTable
)

const (
	deepest    = 20      // levels; a policy file needs 6, more is a file that contains itself through an anchor
	mostValues = 100_000 // of a file, aliases followed
)

// value is a value of a policy file, with the place where it stands.
type value struct {
	kind   int
	text   string // as written; of a whole number in decimal digits
	raw    string // of a whole number as written: 0042
	flag   bool
	items  []*value
	keys   []string
	fields map[string]*value
	file   string
	line   int
	name   string // dotted: rules[0].mode
	last   string // the last key of the name
}

// place is file and line; an empty file has no lines.
func (v *value) place() string {
	if v.line == 0 {
		return v.file
	}
	return v.file + ":" + strconv.Itoa(v.line)
}

func (v *value) fault(message, fix string) error {
	return &Error{Place: v.place(), Message: message, Fix: fix}
}

// expected is the error for a value of the wrong kind.
func (v *value) expected(what, example string) error {
	return v.fault(fmt.Sprintf("%s is %s, expected %s.", v.name, v.described(), what), v.last+": "+example)
}

func (v *value) described() string {
	switch v.kind {
	case isNull:
		return "empty"
	case isFlag:
		return strconv.FormatBool(v.flag)
	case isTable:
		return "a mapping"
	case isList:
		if len(v.items) == 0 {
			return "an empty list"
		}
		return "a list"
	}
	const longest = 60
	text := v.text
	if utf8.RuneCountInString(text) > longest {
		text = string([]rune(text)[:longest])
	}
	return quote(text)
}

// parse reads YAML. The root is a table.
func parse(text []byte, name string) (*value, error) {
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	if !utf8.Valid(text) {
		return nil, &Error{Message: name + " is not UTF-8 text.", Fix: "save it as UTF-8"}
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var root yaml.Node
	if err := decoder.Decode(&root); err != nil {
		if errors.Is(err, io.EOF) {
			return &value{kind: isTable, file: name, fields: map[string]*value{}}, nil
		}
		return nil, notYAML(err, text, name)
	}
	var second yaml.Node
	if err := decoder.Decode(&second); !errors.Is(err, io.EOF) {
		if err != nil {
			return nil, notYAML(err, text, name)
		}
		return nil, &Error{
			Place:   name + ":" + strconv.Itoa(max(second.Line, 1)),
			Message: "not YAML: expected a single document in the stream.", Fix: "put each policy in a file of its own",
		}
	}
	walk := walker{file: name}
	found := walk.value(root.Content[0], &value{file: name, line: max(root.Content[0].Line, 1)}, 0)
	if walk.err != nil {
		return nil, walk.err
	}
	if found.kind == isNull {
		found.kind, found.fields = isTable, map[string]*value{}
	}
	if found.kind != isTable {
		what := "single value"
		if found.kind == isList {
			what = "list"
		}
		return nil, found.fault("the file is a "+what+", expected keys.", "rules: [{name: ..., condition: ...}]")
	}
	return found, nil
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)`)

func notYAML(err error, text []byte, name string) error {
	line, problem := 1, err.Error()
	if found := yamlLine.FindStringSubmatch(problem); found != nil {
		problem = found[2]
		if number, err := strconv.Atoi(found[1]); err == nil {
			line = number
		}
	}
	lines := strings.Split(string(text), "\n")
	for _, number := range []int{line, line + 1} { // the reader counts some lines from 0
		if number > len(lines) {
			break
		}
		written := lines[number-1]
		if strings.Contains(written[:len(written)-len(strings.TrimLeft(written, " \t"))], "\t") {
			return &Error{
				Place: name + ":" + strconv.Itoa(number), Message: "a tab in the indentation; YAML wants spaces.",
				Fix: "replace the tab by two spaces",
			}
		}
	}
	return &Error{
		Place: name + ":" + strconv.Itoa(line), Message: "not YAML: " + problem + ".",
		Fix: fmt.Sprintf("correct line %d, or the quote or bracket opened before it", line),
	}
}

// walker turns nodes into values; err is the first mistake.
type walker struct {
	file  string
	count int
	err   error
}

func (w *walker) fail(node *yaml.Node, message, fix string) {
	if w.err == nil {
		w.err = &Error{Place: w.file + ":" + strconv.Itoa(node.Line), Message: message, Fix: fix}
	}
}

// value fills made, which has its place already.
func (w *walker) value(node *yaml.Node, made *value, depth int) *value {
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	w.count++
	switch {
	case w.err != nil:
		return made
	case depth > deepest:
		w.fail(node, fmt.Sprintf("more than %d levels deep.", deepest), "remove the anchor that contains itself")
	case w.count > mostValues:
		w.fail(node, fmt.Sprintf("more than %d values.", mostValues), "split the file, or use fewer anchors")
	case node.Kind == yaml.MappingNode:
		w.table(node, made, depth)
	case node.Kind == yaml.SequenceNode:
		made.kind = isList
		for i, item := range node.Content {
			child := &value{file: w.file, line: item.Line, name: fmt.Sprintf("%s[%d]", made.name, i), last: made.last}
			made.items = append(made.items, w.value(item, child, depth+1))
		}
	default:
		w.scalar(node, made)
	}
	return made
}

func (w *walker) table(node *yaml.Node, made *value, depth int) {
	made.kind, made.fields = isTable, make(map[string]*value, len(node.Content)/2)
	for i := 0; i+1 < len(node.Content) && w.err == nil; i += 2 {
		at, key := node.Content[i], node.Content[i]
		if key.Kind == yaml.AliasNode {
			key = key.Alias
		}
		switch {
		case key.Kind == yaml.MappingNode:
			w.fail(at, "a mapping as a key, expected text.", "key: value")
			return
		case key.Kind == yaml.SequenceNode:
			w.fail(at, "a list as a key, expected text.", "key: value")
			return
		case key.Tag == "!!merge":
			w.fail(at, "merge keys (<<) are not read.", "write the keys out")
			return
		}
		if first := made.fields[key.Value]; first != nil {
			w.fail(at, fmt.Sprintf("key %s is there already, on line %d.", quote(key.Value), first.line), "keep one of the two, or join them")
			return
		}
		name := strings.TrimLeft(made.name+"."+key.Value, ".")
		child := &value{file: w.file, line: at.Line, name: name, last: key.Value}
		made.keys = append(made.keys, key.Value)
		made.fields[key.Value] = child
		w.value(node.Content[i+1], child, depth+1)
	}
}

func (w *walker) scalar(node *yaml.Node, made *value) {
	made.kind, made.text = isText, node.Value
	plain := node.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) == 0
	tagged := node.Style&yaml.TaggedStyle != 0
	kind := "str"
	switch {
	case tagged:
		kind = strings.TrimPrefix(node.Tag, "!!")
	case plain:
		kind = resolved(node.Value)
	}
	switch kind {
	case "str", "timestamp":
	case "null":
		made.kind = isNull
	case "bool":
		made.kind, made.flag = isFlag, isTrue(node.Value)
	case "float":
		made.kind, made.text = isFraction, strings.ReplaceAll(node.Value, "_", "")
		if _, err := strconv.ParseFloat(made.text, 64); err != nil || strings.Contains(made.text, ":") {
			w.fail(node, node.Value+" is no number to be used here.", "quote it: '"+node.Value+"'")
		}
	case "int":
		made.kind, made.raw = isWhole, node.Value
		whole, ok := wholeNumber(node.Value)
		if !ok {
			w.fail(node, fmt.Sprintf("%s cannot be read as a whole number.", quote(node.Value)), "quote it: '"+node.Value+"'")
		}
		made.text = whole
	default:
		w.fail(node, fmt.Sprintf("%s cannot be read as %s.", quote(node.Value), node.Tag), "quote it: '"+node.Value+"'")
	}
}
