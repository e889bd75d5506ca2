-- Resumable uploads that are sent over several connections at once: pieces of a file that become one by naming them in order.

alter table teahouse.upload
  -- What the client said: `partial` for a piece, `final;` and addresses for the file out of pieces, nothing for an ordinary upload.
  add column concat text check (concat = 'partial' or (concat like 'final;%' and length(concat) < 20000));
