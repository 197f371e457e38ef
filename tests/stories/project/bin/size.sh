# Says how large model.pkl is, and fails if that is more than the flag `most`.
bytes=$(wc -c < model.pkl | tr -d ' ')
echo "model.pkl has $bytes bytes"
test "$bytes" -le "$FLAG_MOST"
